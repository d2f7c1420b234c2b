// Package certificates has a certificate of the public listener's own, obtained
// and renewed by ACME (Let's Encrypt unless told otherwise).
//
// It is for people without a proxy in front: PluralKit sends to https alone. What
// is hard in that is certmagic's: two challenges, renewal in time, pauses that grow
// after failures, one place on disk that survives a restart. This package chooses,
// and says in words what does not work.
//
// Files are below one directory, mode 0600: the account's key, certificates and
// their keys. With these a restart asks nobody. Lost, they are obtained anew.
//
// A failure never ends the process: webhooks by a certificate that is still good
// go on, and the next try is a minute later, then two, five, ten, up to six hours.
package certificates
