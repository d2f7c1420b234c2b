// Package fakesink is the other side of outgoing webhooks: receivers that take
// what their originals take, and fail the test when they are sent what these
// would refuse. Each is an http.Handler that counts what it accepted; [Serve]
// puts one on loopback.
//
// [Discord] knows the limits of its messages and of their rate, [BotGhost] its
// key, its variables and its pace, [Ntfy] its JSON, [Standard] verifies with
// the reference library, [CloudEvents] reads with the SDK's rules, and [Bad]
// does whatever receivers do on a bad day.
package fakesink
