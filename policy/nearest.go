package policy

import "strings"

// nearest is the candidate that a person who wrote word most likely meant:
// the same letters in another case, or the fewest edits, at most a third of
// the word. It is empty where none is near.
func nearest(word string, candidates []string) string {
	best, bestCost := "", max(1, len(word)/3)+1
	for _, c := range candidates {
		cost := edits(strings.ToLower(word), strings.ToLower(c))
		if cost < bestCost {
			best, bestCost = c, cost
		}
	}
	return best
}

// edits is the Levenshtein distance between a and b, in bytes. Words of
// unreasonable length are not compared.
func edits(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return len(a) + len(b)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
