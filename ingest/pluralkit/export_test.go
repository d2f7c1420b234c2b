package pluralkit

import (
	"net/http"
	"testing"
	"time"
)

// What tests of package pluralkit_test share with those in the package.
var (
	StateOf    = stateOf
	Comparable = comparable
	Strictly   = strictly
	Later      = later
)

// Pipes serves h inside a bubble.
func Pipes(t *testing.T, h http.Handler) *http.Transport { return servePipes(t, h).transport }

// NewYear is when the bubbles' worlds begin: Discord's ids tell the time, from
// 2015 on.
const NewYear = 26 * 365 * 24 * time.Hour
