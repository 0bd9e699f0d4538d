package certs

import (
	"bytes"
	"crypto/x509"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"
)

var seedFlag = flag.Uint64("seed", 0, "run the property test with this seed alone")

// The longest for which others do not look: API servers less than the overlap,
// servers less than the time in which a pair settles.
const (
	apiServerLag = 50 * time.Second
	serverLag    = 10 * time.Minute
)

// TestNoLeafIsEverDistrusted runs two processes at once in a world in which they
// crash, pause between any two requests, and see the clock jump; in which Secret
// and configurations are deleted and overwritten, and in which everybody else
// learns of a change late. Whatever happens, each certificate that a server may be
// serving must verify against each bundle that an API server may be using.
func TestNoLeafIsEverDistrusted(t *testing.T) {
	t.Parallel()
	seeds := []uint64{*seedFlag}
	if *seedFlag == 0 {
		seeds = nil
		for range 20 {
			seeds = append(seeds, rand.Uint64())
		}
	}
	total := map[Action]int{}
	for _, seed := range seeds {
		w := newWorld(seed)
		for n := range 600 {
			event := w.happen()
			if *seedFlag != 0 {
				t.Logf("%d %s", n, event)
			}
			if err := w.check(); err != nil {
				t.Fatalf("event %d, %s: %v; replay with -seed %d", n, event, err, seed)
			}
		}
		if err := w.settle(); err != nil {
			t.Fatalf("left alone: %v; replay with -seed %d", err, seed)
		}
		for action, n := range w.writes {
			total[action] += n
		}
	}
	for _, action := range []Action{Issue, Trust, Promote, Forget} {
		if total[action] < len(seeds) {
			t.Errorf("action %d was taken %d times in %d runs: hardly tested", action, total[action], len(seeds))
		}
	}
	t.Logf("%d runs wrote %v", len(seeds), total)
}

// A world is what surrounds the decisions.
type world struct {
	*rand.Rand
	wall, latest time.Time // the clock that may be set, and the latest it has shown
	elapsed      time.Time // the clock that nobody sets

	data           map[string][]byte // of the Secret, nil when there is none
	version        int
	configurations []*storedConfiguration

	processes []*process
	servers   []*servingPod
	writes    map[Action]int
	verified  map[string]bool
}

// A storedConfiguration has two webhooks.
type storedConfiguration struct {
	version int
	content configurationContent
	known   [2]knownConfiguration // to each of two API servers
}

type knownConfiguration struct {
	configurationContent
	since time.Time
}

type configurationContent struct {
	exists  bool
	ours    bool // it was not overwritten by somebody else since a process wrote it
	bundles [2][]byte
}

// A servingPod has mounted the Secret.
type servingPod struct {
	pair  *Pair
	since time.Time
}

func newWorld(seed uint64) *world {
	w := &world{Rand: rand.New(rand.NewPCG(seed, 0)), wall: start, latest: start, elapsed: start, writes: map[Action]int{}, verified: map[string]bool{}}
	for range 2 {
		w.configurations = append(w.configurations, &storedConfiguration{})
		w.processes = append(w.processes, &process{world: w})
	}
	for range 3 {
		w.servers = append(w.servers, &servingPod{})
	}
	return w
}

// happen lets one thing happen and names it.
func (w *world) happen() string {
	process := w.processes[w.IntN(len(w.processes))]
	switch n := w.IntN(100); {
	case n < 55:
		return "a process " + process.step()
	case n < 62:
		return "kubelet: " + w.mount(w.servers[w.IntN(len(w.servers))])
	case n < 70:
		c := w.configurations[w.IntN(len(w.configurations))]
		c.known[w.IntN(len(c.known))] = knownConfiguration{c.content, w.elapsed}
		return "an API server learns of a configuration"
	case n < 87:
		return w.pass([]time.Duration{time.Second, 20 * time.Second, time.Minute, 20 * time.Minute, day, 10 * day}[w.IntN(6)])
	case n < 90:
		return w.jump()
	case n < 95:
		*process = *newProcess(w)
		return "a process crashes"
	default:
		return w.accident()
	}
}

// accident is what users do. There is one at a time: where the Secret is deleted
// and what the bundles held as well, nobody knows any more what to trust.
func (w *world) accident() string {
	known, ours := false, true
	if w.data != nil {
		secret, _ := ReadSecret(w.data)
		known = secret.Current != nil || len(secret.Previous) > 0
	}
	for _, c := range w.configurations {
		ours = ours && (!c.content.exists || c.content.ours)
	}
	c := w.configurations[w.IntN(len(w.configurations))]
	switch n := w.IntN(4); {
	case !c.content.exists:
		w.overwrite(c, configurationContent{exists: true})
		return "a configuration is created"
	case n == 0 && ours:
		w.store(nil)
		return "the Secret is deleted"
	case n == 1 && known:
		w.overwrite(c, configurationContent{})
		return "a configuration is deleted"
	case n == 2 && known:
		for _, c := range w.configurations {
			w.overwrite(c, configurationContent{exists: c.content.exists})
		}
		return "all bundles are emptied"
	case known:
		w.overwrite(c, configurationContent{exists: true, bundles: [2][]byte{nil, c.content.bundles[1]}})
		return "a bundle is emptied"
	}
	return "nothing happens"
}

func (w *world) store(data map[string][]byte) {
	w.data, w.version = data, w.version+1
}

func (w *world) overwrite(c *storedConfiguration, content configurationContent) {
	c.content, c.version = content, c.version+1
}

// mount is what a kubelet does: it brings what the Secret holds, if it holds all
// that is mounted, and else leaves the files as they are.
func (w *world) mount(server *servingPod) string {
	server.since = w.elapsed
	if secret, _ := ReadSecret(w.data); secret.Current != nil {
		server.pair = secret.Current
		return "the Secret is mounted"
	}
	return "there is nothing to mount"
}

// pass lets time pass, in which everybody looks who has not for long.
func (w *world) pass(d time.Duration) string {
	w.elapsed, w.wall = w.elapsed.Add(d), w.wall.Add(d)
	w.latest = latest(w.latest, w.wall)
	for _, c := range w.configurations {
		for i := range c.known {
			if w.elapsed.Sub(c.known[i].since) >= apiServerLag {
				c.known[i] = knownConfiguration{c.content, w.elapsed}
			}
		}
	}
	for _, server := range w.servers {
		if w.elapsed.Sub(server.since) >= serverLag {
			w.mount(server)
		}
	}
	return fmt.Sprintf("%s pass", d)
}

// jump sets the clock: forward by whatever it slept, or back by a little.
func (w *world) jump() string {
	d := time.Duration(w.Int64N(int64(20 * day)))
	if w.IntN(2) == 0 {
		d = -time.Duration(w.Int64N(int64(w.wall.Add(backdate/2).Sub(w.latest)) + 1))
	}
	w.wall = w.wall.Add(d)
	w.latest = latest(w.latest, w.wall)
	return fmt.Sprintf("the clock jumps by %s", d)
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// check is the property.
func (w *world) check() error {
	for i, server := range w.servers {
		if !server.pair.valid(w.wall) || !server.pair.valid(w.latest) {
			continue
		}
		for j, c := range w.configurations {
			for k, known := range c.known {
				for _, bundle := range known.bundles {
					if known.exists && known.ours && !w.verifies(server.pair, bundle) {
						return fmt.Errorf("server %d serves %s, which configuration %d, as API server %d knows it, does not trust", i, server.pair, j, k)
					}
				}
			}
		}
	}
	return nil
}

// works reports whether any server serves what any API server trusts.
func (w *world) works() bool {
	for _, server := range w.servers {
		for _, c := range w.configurations {
			for _, known := range c.known {
				for _, bundle := range known.bundles {
					if server.pair.valid(w.wall) && w.verifies(server.pair, bundle) {
						return true
					}
				}
			}
		}
	}
	return false
}

// excuse takes out of account what API servers know now. It is called when a pair
// is promoted that takes the place of none that worked: what they do not know yet
// makes nothing worse.
func (w *world) excuse() {
	for _, c := range w.configurations {
		for i := range c.known {
			c.known[i].ours = false
		}
	}
}

func (w *world) verifies(pair *Pair, bundle []byte) bool {
	key := pair.String() + string(bundle)
	if _, known := w.verified[key]; !known {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(bundle)
		_, err := pair.leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: config.DNSNames[0], CurrentTime: pair.issued()})
		w.verified[key] = err == nil
	}
	return w.verified[key]
}

// settle leaves the world alone for two days, in which everything must come in
// order and all that is old be forgotten; or for four, if a rotation was due.
func (w *world) settle() error {
	for _, c := range w.configurations {
		if !c.content.exists {
			w.overwrite(c, configurationContent{exists: true})
		}
	}
	w.processes = []*process{newProcess(w)}
	var disorder error
	for range 2 {
		if err := w.leave(); err != nil {
			return err
		}
		if disorder = w.disorder(); disorder == nil {
			break
		}
	}
	return disorder
}

// leave lets two days pass.
func (w *world) leave() error {
	for range 100 {
		for range 12 {
			w.processes[0].step()
		}
		w.pass(30 * time.Minute)
		if err := w.check(); err != nil {
			return err
		}
	}
	return nil
}

// disorder is what is not as it should be in the end.
func (w *world) disorder() error {
	secret, problems := ReadSecret(w.data)
	if !config.fit(w.wall, secret.Current) || secret.Next != nil || len(secret.Previous) > 0 || len(problems) > 0 {
		return fmt.Errorf("the Secret holds %v, %v", secret, problems)
	}
	for _, c := range w.configurations {
		for _, bundle := range c.content.bundles {
			if !bytes.Equal(bundle, EncodeBundle([]*x509.Certificate{secret.Current.Authority})) {
				return fmt.Errorf("a bundle holds %d authorities, want that of the current certificate", len(ParseBundle(bundle)))
			}
		}
	}
	return nil
}

// A process does what the command does, a request at a time.
type process struct {
	world *world
	next  func() string // nil at the start of a look

	seen     []configurationContent
	versions []int

	trusted, inPlace           string
	trustedSince, inPlaceSince time.Time
}

func newProcess(w *world) *process { return &process{world: w} }

func (p *process) step() string {
	if p.next == nil {
		p.next = p.readConfigurations
	}
	now := p.next
	p.next = nil
	return now()
}

func (p *process) readConfigurations() string {
	p.seen, p.versions = nil, nil
	for _, c := range p.world.configurations {
		p.seen, p.versions = append(p.seen, c.content), append(p.versions, c.version)
	}
	p.next = p.readSecret
	return "reads the configurations"
}

func (p *process) readSecret() string {
	w := p.world
	data, version := maps.Clone(w.data), w.version
	p.next = func() string {
		state := p.state(data)
		plan := config.Plan(w.wall, state)
		switch plan.Action {
		case Issue:
			data, err := config.Issued(w.wall, state, data)
			if err != nil {
				panic(err)
			}
			p.write(Issue, version, data)
		case Promote:
			if p.write(Promote, version, config.Promoted(w.wall, state, data)) && !w.works() {
				w.excuse()
			}
		case Forget:
			p.write(Forget, version, Forgotten(data))
		case Trust:
			p.next = func() string { return p.trust(0, plan.Trusted) }
		}
		return fmt.Sprintf("takes action %d", plan.Action)
	}
	return "reads the Secret"
}

func (p *process) state(data map[string][]byte) *State {
	state := &State{}
	state.Secret, _ = ReadSecret(data)
	for _, c := range p.seen {
		for _, bundle := range c.bundles {
			if c.exists {
				state.Bundles = append(state.Bundles, ParseBundle(bundle))
			}
		}
	}
	now, trusted, inPlace := p.world.elapsed, "", ""
	if state.TrustsNext() {
		trusted = state.Next.String()
	}
	if state.Current != nil {
		inPlace = state.Current.String()
	}
	if trusted != p.trusted {
		p.trusted, p.trustedSince = trusted, now
	}
	if inPlace != p.inPlace {
		p.inPlace, p.inPlaceSince = inPlace, now
	}
	state.NextTrusted, state.CurrentInPlace = now.Sub(p.trustedSince), now.Sub(p.inPlaceSince)
	return state
}

// write is refused by the API server when the Secret has changed since it was read.
func (p *process) write(action Action, version int, data map[string][]byte) bool {
	w := p.world
	if w.version != version {
		return false
	}
	w.store(data)
	w.writes[action]++
	return true
}

// trust writes one configuration after the other.
func (p *process) trust(i int, authorities []*x509.Certificate) string {
	w := p.world
	if c := w.configurations[i]; p.seen[i].exists && c.version == p.versions[i] {
		bundle := EncodeBundle(authorities)
		w.overwrite(c, configurationContent{exists: true, ours: true, bundles: [2][]byte{bundle, bundle}})
		w.writes[Trust]++
	}
	if i+1 < len(w.configurations) {
		p.next = func() string { return p.trust(i+1, authorities) }
	}
	return fmt.Sprintf("writes configuration %d", i)
}
