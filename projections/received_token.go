package projections

import "switchlog/schemas"

// ReceivedToken is what came with a shared token, in the table of
// ReceivedStandard.
var ReceivedToken = received("received_token", schemas.SharedToken, "")
