package webhook

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"

	"quartermaster.dev/policy/policytest"
)

// TestMain makes every test of this package one of what is kept of a request:
// it would find its bytes overwritten. Benchmarks are spared.
func TestMain(m *testing.M) {
	flag.Parse()
	scribble = flag.Lookup("test.bench").Value.String() == ""
	os.Exit(m.Run())
}

// keeper is a log that writes nothing down until it is asked.
type keeper struct {
	mu      sync.Mutex
	records []slog.Record
}

func (k *keeper) Enabled(context.Context, slog.Level) bool { return true }
func (k *keeper) WithAttrs([]slog.Attr) slog.Handler       { return k }
func (k *keeper) WithGroup(string) slog.Handler            { return k }

func (k *keeper) Handle(_ context.Context, r slog.Record) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.records = append(k.records, r)
	return nil
}

// lines are what was logged of each request, sorted; the time that a decision
// took is left out.
func (k *keeper) lines() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var lines []string
	for _, r := range k.records {
		line := []string{r.Message}
		r.Attrs(func(a slog.Attr) bool {
			if a.Key != "took" {
				line = append(line, a.String())
			}
			return true
		})
		lines = append(lines, strings.Join(line, " "))
	}
	slices.Sort(lines)
	return lines
}

// TestNothingOfARequestIsKept sends all cases of the corpus at once, so that
// buffers are used again while others are in use, and looks at the log lines,
// the Events and the answers when all are through.
func TestNothingOfARequestIsKept(t *testing.T) {
	t.Parallel()
	cases := policytest.Load(t)
	const rounds = 8
	run := func(inTurn bool) (lines, answers []string) {
		log, events := &keeper{}, record.NewFakeRecorder(rounds*len(cases)*20)
		send := sync.WaitGroup{}
		var mu sync.Mutex
		for range rounds {
			for _, c := range cases {
				h := benchmarkedHandler(&c).(*Handler)
				h.Log = slog.New(log)
				h.Reporter = &Reporter{log: h.Log, metrics: h.Metrics, recorder: events, uids: map[string]types.UID{}}
				for _, cm := range c.ConfigMaps {
					h.Reporter.Seen(cm.Namespace+"/"+cm.Name, "uid")
				}
				post := func() {
					f := fixture{Handler: h}
					_, body := f.post(t, strings.NewReader(string(c.Review)))
					mu.Lock()
					defer mu.Unlock()
					answers = append(answers, body)
				}
				if inTurn {
					post()
				} else {
					send.Go(post)
				}
			}
		}
		send.Wait()
		slices.Sort(answers)
		lines = log.lines()
		for range len(events.Events) {
			lines = append(lines, <-events.Events)
		}
		slices.Sort(lines)
		return lines, answers
	}
	wantLines, wantAnswers := run(true)
	lines, answers := run(false)
	if diff := cmp.Diff(wantLines, lines); diff != "" {
		t.Errorf("log lines and Events of requests in turn (-) and at once (+):\n%.2000s", diff)
	}
	if diff := cmp.Diff(wantAnswers, answers); diff != "" {
		t.Errorf("answers in turn (-) and at once (+):\n%.2000s", diff)
	}
	for _, line := range slices.Concat(lines, answers) {
		if strings.Contains(line, "####") {
			t.Fatalf("part of a released buffer was kept: %s", line)
		}
	}
}
