// Package export makes files of a system's data for a person to take along. It
// has functions from the answers of the read API to the bytes of a file, and no
// network: what a reader may not see is not in the answers, so it is in no file.
package export
