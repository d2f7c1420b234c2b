// Package switchlog has the documents of this program, for those who read them
// in the dashboard.
package switchlog

import "embed"

// Documents are the files that people read, with their paths in the source.
//
//go:embed README.md DESIGN.md CONTRIBUTING.md CHANGELOG.md projections/README.md
var Documents embed.FS
