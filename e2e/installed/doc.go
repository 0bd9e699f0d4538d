// Package installed holds the tests of the chart as its users have it: installed by Helm on a Kubernetes whose nodes run
// pods. `make e2e` runs them; `go test ./...` does not, for their files carry the build tag e2e.
//
// A test tells each thing that it does with step, so that one sees where it is. It takes a namespace of its own from
// namespace, or from example, which fills it with a folder of manifests/examples; and there it is GitLab Runner: newRunner
// has that account's token, and creates the recorded pods of real jobs.
//
// Most tests run in parallel and share one release of the chart, named and configured like that of a user who has changed
// nothing: they call t.Parallel and then shared. A test that installs a release of its own calls installChart and is not
// parallel, for two releases would both be asked about every job pod. Go runs such tests one by one before all parallel
// ones, and the shared release is installed by the first who asks for it, so the two never meet.
//
// Reading order: a test, such as TestAJobRunsWithItsKey (story_test.go), then what it stands on: main_test.go,
// release_test.go, runner_test.go, helpers_test.go.
package installed
