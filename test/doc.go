// Package test holds switchlog to what it promises, from outside: whole
// programs run, are killed, and are asked.
//
// It also holds the source to the rules of CONTRIBUTING.md that a machine can
// check: who may import whom (imports_test.go), what code may not contain
// (code_test.go), what no file may contain (tidy_test.go). They run as ordinary
// tests, so they fail where everything else fails, with the file and the line.
//
// Helpers for tests of other packages are packages of their own below this
// one. They import nothing of ours but schemas, so that any test may use them.
package test
