# Runs the node's namespaces and cleans up after them. It is the only one who does, however the node ends, so that every
# orderly end tests what becomes of a killed one.
#
# $1 is the node's folder, $2 the name of its control group, $3 the script that furnishes the namespaces; what follows are
# that script's own arguments. The node ends when standard input does.
trap '' HUP INT TERM
dir=$1 group=$2 furnish=$3
shift 3

# The tops of all hierarchies of control groups: in version 1 each controller has its own, in version 2 there is one, where
# a group has just those controllers that the one above it hands down. What is missing, where that is not allowed, is told by
# the kubelet.
if [ -e /sys/fs/cgroup/cgroup.subtree_control ]; then
	hierarchies=/sys/fs/cgroup
	for controller in cpu cpuset hugetlb memory pids; do
		echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control
	done 2>/dev/null
else
	hierarchies=$(dirname /sys/fs/cgroup/*/cgroup.procs)
fi

for hierarchy in $hierarchies; do
	mkdir -p "$hierarchy/$group" || exit
done

unshare --mount --propagation private --net --pid --fork --kill-child /bin/sh -ec "$furnish" node "$dir" "$@"

# The first process of the PID namespace has ended, so all others have.
for hierarchy in $hierarchies; do
	# Two names of one hierarchy are usual in version 1.
	[ ! -d "$hierarchy/$group" ] || find "$hierarchy/$group" -depth -type d -exec rmdir {} \;
done
rm -rf -- "$dir"
