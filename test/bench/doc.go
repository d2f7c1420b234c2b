//go:build linux

// Command bench measures what the product promises in numbers, on one machine
// in one run, beside peers that do the same work, and writes a table.
//
//	go run ./test/bench -out test/bench/RESULTS.md
//
// It runs in the root of the repository, builds what it measures, starts
// everything as processes of its own on loopback, below one temporary
// directory, and leaves nothing behind. It is for Linux: it asks /proc and
// sends with epoll.
package main
