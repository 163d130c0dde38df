//go:build !race

package danube_test

const raceEnabled = false
