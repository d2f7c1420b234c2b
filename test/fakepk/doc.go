// Package fakepk is PluralKit in a test: its people, its API v2 and its dispatch webhooks, in memory and to the byte.
//
// It has three parts over one model.
//
//   - A [World] holds systems. What a person does in Discord, on the dashboard or through the API is a method of
//     [System]: refused where PluralKit refuses it, silent where PluralKit is silent. [World.Truth] is what is true
//     after it, as plain values that can be compared ([State.Diff]). [System.Live] does such things at random.
//   - An [API] is the read side of API v2 as an http.Handler: paths, refs, key order, nulls, owner's and public views,
//     error codes, paging and rate limits, with PluralKit's oddities. It is strict: a client that sends no User-Agent,
//     writes, ignores a 429 or keeps running into the rate limit fails the test.
//   - Each action makes [Delivery] values, the bodies that PluralKit would POST. A test takes them with
//     [World.Deliveries] and feeds them in any order ([Plan.Arrivals], [Shuffle]), or a [Dispatcher] sends them over
//     HTTP, once each. [System.RegisterWebhook] does the two PINGs of a registration.
//
// [Naive] is a receiver that believes every body; it shows what each hazard of the protocol does to such a one.
//
// # What it promises
//
// The seed decides every id, token and race, and a plan's seed what is lost, late or doubled: the same actions give
// the same bytes. (Not so the moment at which a Dispatcher in parallel mode is heard.) Each example body in
// testdata/dispatch is made, byte for byte, by the action that makes it in PluralKit.
//
// Order is PluralKit's: UPDATE_MEMBER, UPDATE_MEMBER_GUILD and UPDATE_AUTOPROXY are handed over before their write,
// which may then fail ([Odds]); everything else after. A member or group made by the API is usually not announced.
// What PluralKit leaves open is left open: lists come in heap order, which moves a row to the end when it is updated;
// two switches may share a timestamp, and then [State.Front] names both.
//
// A [World] is safe for concurrent use: actions run one after the other, and an answer of the API is of one moment.
// Nothing runs in the background except what a parallel Dispatcher sends, which Flush and Close wait for.
//
// # What it leaves out
//
// Writing through the API, deciding which message is proxied, and premium. A Dispatcher talks plain HTTP or
// TLS to any address; PluralKit's own rules for addresses are checked only when a [Registration] is Strict.
// The package imports nothing but the standard library, so that it cannot share a mistake with what it tests.
package fakepk
