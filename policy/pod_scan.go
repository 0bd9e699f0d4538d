package policy

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"quartermaster.dev/policy/jsonscan"
)

// Scan reads a pod, as [DecodePod] does, into one that is empty. Most of a pod
// is nothing that a decision reads: what is not named here is passed over.
func (p *Pod) Scan(scanner *jsonscan.Scanner) {
	in := podScanner{scanner}
	in.Object(func(key []byte) {
		switch string(key) {
		case "metadata":
			in.metadata(&p.Metadata)
		case "spec":
			in.spec(&p.Spec)
		}
	})
}

// podScanner reads the parts of a pod.
type podScanner struct{ *jsonscan.Scanner }

func (in podScanner) metadata(m *Metadata) {
	in.Object(func(key []byte) {
		switch string(key) {
		case "name":
			in.Text(&m.Name)
		case "labels":
			in.Texts(&m.Labels)
		case "annotations":
			in.Texts(&m.Annotations)
		}
	})
}

func (in podScanner) spec(s *PodSpec) {
	in.Object(func(key []byte) {
		switch string(key) {
		case "initContainers":
			readList(in, &s.InitContainers, in.container)
		case "containers":
			readList(in, &s.Containers, in.container)
		case "volumes":
			readList(in, &s.Volumes, in.volume)
		case "nodeSelector":
			in.Texts(&s.NodeSelector)
		case "tolerations":
			readList(in, &s.Tolerations, in.toleration)
		case "serviceAccountName":
			in.Text(&s.ServiceAccountName)
		case "hostPID":
			in.Bool(&s.HostPID)
		case "shareProcessNamespace":
			in.Bool(&s.ShareProcessNamespace)
		case "securityContext":
			in.podSecurity(&s.SecurityContext)
		case "resources":
			in.resources(&s.Resources)
		case "os":
			in.os(&s.OS)
		}
	})
}

func (in podScanner) podSecurity(s *PodSecurity) {
	in.Object(func(key []byte) {
		switch string(key) {
		case "runAsUser":
			in.int64(&s.RunAsUser)
		case "runAsGroup":
			in.int64(&s.RunAsGroup)
		case "runAsNonRoot":
			in.bool(&s.RunAsNonRoot)
		case "fsGroup":
			in.int64(&s.FSGroup)
		case "supplementalGroups":
			readList(in, &s.SupplementalGroups, func(group *int64) { *group = in.Int(64) })
		}
	})
}

func (in podScanner) os(o *PodOS) {
	in.Object(func(key []byte) {
		if string(key) == "name" {
			in.Text(&o.Name)
		}
	})
}

func (in podScanner) container(c *Container) {
	in.Object(func(key []byte) {
		switch string(key) {
		case "name":
			in.Text(&c.Name)
		case "env":
			in.env(&c.Env)
		case "volumeMounts":
			readList(in, &c.VolumeMounts, in.volumeMount)
		case "resources":
			readPointer(in, &c.Resources, in.resources)
		case "securityContext":
			in.containerSecurity(&c.SecurityContext)
		}
	})
}

func (in podScanner) resources(r *ContainerResources) {
	in.Object(func(key []byte) {
		switch string(key) {
		case "requests":
			in.quantities(&r.Requests)
		case "limits":
			in.quantities(&r.Limits)
		}
	})
}

func (in podScanner) containerSecurity(s *ContainerSecurity) {
	in.Object(func(key []byte) {
		switch string(key) {
		case "runAsUser":
			in.int64(&s.RunAsUser)
		case "runAsGroup":
			in.int64(&s.RunAsGroup)
		case "runAsNonRoot":
			in.bool(&s.RunAsNonRoot)
		}
	})
}

func (in podScanner) volumeMount(m *VolumeMount) {
	in.Object(func(key []byte) {
		switch string(key) {
		case "name":
			in.Text(&m.Name)
		case "mountPath":
			in.Text(&m.MountPath)
		case "subPath":
			in.Text(&m.SubPath)
		case "readOnly":
			in.Bool(&m.ReadOnly)
		}
	})
}

func (in podScanner) volume(v *Volume) {
	in.Object(func(key []byte) {
		switch string(key) {
		case "name":
			in.Text(&v.Name)
		case "secret":
			readPointer(in, &v.Secret, in.secretVolume)
		case "configMap":
			in.presence(&v.ConfigMap)
		case "downwardAPI":
			in.presence(&v.DownwardAPI)
		case "projected":
			in.presence(&v.Projected)
		}
	})
}

func (in podScanner) secretVolume(s *SecretVolume) {
	in.Object(func(key []byte) {
		switch string(key) {
		case "secretName":
			in.Text(&s.SecretName)
		case "items":
			readList(in, &s.Items, in.keyToPath)
		case "defaultMode":
			in.int32(&s.DefaultMode)
		case "optional":
			in.bool(&s.Optional)
		}
	})
}

func (in podScanner) keyToPath(k *KeyToPath) {
	in.Object(func(key []byte) {
		switch string(key) {
		case "key":
			in.Text(&k.Key)
		case "path":
			in.Text(&k.Path)
		}
	})
}

func (in podScanner) toleration(t *corev1.Toleration) {
	in.Object(func(key []byte) {
		switch string(key) {
		case "key":
			in.Text(&t.Key)
		case "operator":
			in.Text((*string)(&t.Operator))
		case "value":
			in.Text(&t.Value)
		case "effect":
			in.Text((*string)(&t.Effect))
		case "tolerationSeconds":
			in.int64(&t.TolerationSeconds)
		}
	})
}

func (in podScanner) quantities(into *ResourceList) {
	if in.Null() {
		return
	}
	*into = ResourceList{}
	in.Object(func(key []byte) {
		var quantity resource.Quantity
		in.Parse(quantity.UnmarshalJSON)
		(*into)[in.Keep(key)] = quantity
	})
}

// env keeps the list as it is.
func (in podScanner) env(into *Env) {
	if in.Null() {
		return
	}
	*into = Env(in.ListValue())
}

func (in podScanner) bool(into **bool) { readPointer(in, into, in.Bool) }

func (in podScanner) int64(into **int64) {
	readPointer(in, into, func(n *int64) { *n = in.Int(64) })
}

func (in podScanner) int32(into **int32) {
	readPointer(in, into, func(n *int32) { *n = int32(in.Int(32)) })
}

// presence is for an object of which nothing counts but that it is there.
func (in podScanner) presence(into **struct{}) {
	readPointer(in, into, func(*struct{}) { in.Object(func([]byte) {}) })
}

// readPointer reads a value that may be absent.
func readPointer[T any](in podScanner, into **T, read func(*T)) {
	if in.Null() {
		return
	}
	*into = new(T)
	read(*into)
}

// usualLength is room for the elements of a usual list.
const usualLength = 4

// readList reads a list that may be absent.
func readList[T any](in podScanner, into *[]T, read func(*T)) {
	if in.Null() {
		return
	}
	list := make([]T, 0, usualLength)
	in.List(func() {
		list = append(list, *new(T))
		read(&list[len(list)-1])
	})
	*into = list
}
