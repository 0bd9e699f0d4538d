package policy

// What the reference is held against.

// PresetRow is a preset as the reference shows it.
type PresetRow struct {
	Name, Dir string
	Items     []KeyToPath
	Mode      int32
	Overrides []string
	// Env of a job that is root.
	Env []EnvVar
}

// PresetRows are the presets.
func PresetRows() []PresetRow {
	var rows []PresetRow
	for i := range presets {
		p := &presets[i]
		s := secret{preset: p}
		rows = append(rows, PresetRow{p.name, s.dir(false), p.items, p.mode, p.overrides, p.env(s.dir(false), p.items, false)})
	}
	return rows
}

// ReservedRow is a path or variable that no policy may use.
type ReservedRow struct {
	Name, Why string
	Below     bool
}

// ReservedPathRows are the paths.
func ReservedPathRows() []ReservedRow {
	var rows []ReservedRow
	for _, r := range reservedPaths {
		rows = append(rows, ReservedRow{r.path, r.why, r.below})
	}
	return rows
}

// ReservedEnvRows are the variables.
func ReservedEnvRows() []ReservedRow {
	var rows []ReservedRow
	for _, r := range reservedEnv {
		rows = append(rows, ReservedRow{Name: r.name, Why: r.why})
	}
	return rows
}

// ForgedLabels are those that podSelector may not name.
var ForgedLabels = forgedLabels

// Kinds are all kinds of pod.
func Kinds() []Kind {
	kinds := []Kind{OtherPod, PausePod, BootVerifyPod, NoBuildPod, JobPod}
	for i := range obstacles {
		kinds = append(kinds, obstacles[i].kind)
	}
	return kinds
}
