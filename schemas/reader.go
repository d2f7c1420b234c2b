package schemas

// A reader is somebody who may read one tenant's data, or everybody's: a user of NATS and a token
// for HTTP. Which there are is told by events of the registry.
const (
	ReaderAdded   = "switchlog.reader.added"
	ReaderRevoked = "switchlog.reader.revoked"
)

// ReaderEvent is the data of ReaderAdded; ReaderRevoked carries the name and By.
type ReaderEvent struct {
	Name    string            `json:"name"`
	Source  string            `json:"source,omitempty"`  // kind of source the tenant belongs to; empty with Tenant: all
	Tenant  string            `json:"tenant,omitempty"`  // the only one it may read; empty: all
	Public  bool              `json:"public,omitempty"`  // it sees what anybody may see, and no more
	Expires string            `json:"expires,omitempty"` // RFC 3339: it is refused from then on; empty: never
	Secrets map[string]string `json:"secrets,omitempty"` // purpose ("token", "password") → reference into secrets.db
	Sealed  map[string]string `json:"sealed,omitempty"`  // reference → the hash, sealed for the nodes that share the key
	By      string            `json:"by,omitempty"`      // who gave the command: "admin" (the operator) or a reader's name; empty: switchlog itself
}
