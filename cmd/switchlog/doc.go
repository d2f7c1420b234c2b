// Command switchlog is the whole product in one binary: it takes webhooks in,
// keeps them as a log, folds the log into a database and shows both.
//
// serve.go wires the parts together; every other cmd_*.go is one command of
// the shell. Commands talk to a running server over its private listener; see
// client.go for how they find it.
package main
