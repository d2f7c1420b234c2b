// Package decode measures pkgo's decoder of webhooks over switchlog's samples.
package decode
