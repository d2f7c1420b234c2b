package projections

import "switchlog/schemas"

// ReceivedCloudEvents is what came as CloudEvents, in the table of
// ReceivedStandard.
var ReceivedCloudEvents = received("received_cloudevents", schemas.CloudEvents, "")
