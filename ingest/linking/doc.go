// Package linking knows what keeps a webhook from being linked with PluralKit,
// and says it in words that a person can act on.
//
// It translates what PluralKit's bot answers (Said), and looks at a public address
// as PluralKit does: name, IPv4 addresses, certificate, and the pair of PINGs
// (Checker). It changes nothing and stores nothing.
package linking
