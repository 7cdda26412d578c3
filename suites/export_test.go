package suites

// For the tests that run a suite through internal/run, which imports this package.
var (
	RunSpecs    = runSpecs
	BuildSample = buildSample
)
