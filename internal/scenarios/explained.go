package scenarios

// Explained are the differences between danubetest and the real broker that are left,
// each with its reason. One that matches nothing any more is an error.
var Explained = []Explanation{}
