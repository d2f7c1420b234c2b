// Package ui is the dashboard: pages in which people see who fronts, who
// fronted, and what changed, and which they need no account elsewhere for.
//
// Pages are made on the server by html/template from the answers of the named
// queries, so that a page shows what a program gets. They read and their links
// work without JavaScript; with it, htmx brings what is new over Server-Sent
// Events. Everything is in the binary: no page asks another machine for
// anything, and the Content-Security-Policy of each answer forbids it. Styles
// and scripts are files; a template has none of its own.
//
// Who may see a page is decided at each request: a browser shows a cookie, which
// stands for the hash of a reader's token. When that token is no longer good,
// neither is the session, and an open stream ends. A reader of one system
// sees that system alone (P7). Sessions are in memory: after a restart people sign in
// again.
//
// A name is text that others wrote. It is always escaped by html/template, shown in
// bdi elements, and never part of an address, a style or a script.
//
// The package stores nothing: the choices of a person (words, discreet mode,
// font, time zone) are cookies of her browser.
package ui
