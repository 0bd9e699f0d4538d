package chart

import (
	"fmt"
	"strings"
)

// The table stands between these lines of README.md; what is around it is written by hand.
const (
	tableBegin = "<!-- Generated from values.yaml by `make generate`: -->\n"
	tableEnd   = "<!-- until here. -->\n"
)

// readme returns README.md with the table of values in its place.
func readme(is string, values []value) (string, error) {
	before, rest, found := strings.Cut(is, tableBegin)
	_, after, ended := strings.Cut(rest, tableEnd)
	if !found || !ended {
		return "", fmt.Errorf("the chart's README.md lacks the lines between which its table is written:\n%s%s", tableBegin, tableEnd)
	}
	var table strings.Builder
	table.WriteString("\n| value | default | what it does |\n|---|---|---|\n")
	escape := strings.NewReplacer("|", `\|`).Replace
	for _, v := range values {
		fmt.Fprintf(&table, "| `%s` | `%s` | %s |\n", strings.Join(v.path, "."), escape(v.standard), escape(v.description))
	}
	table.WriteString("\n")
	return before + tableBegin + table.String() + tableEnd + after, nil
}
