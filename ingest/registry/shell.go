package registry

// Shell is how a source of a kind is added from the shell: what a person reads,
// and which flags become its settings and secrets.
type Shell struct {
	Args  string // how the source's name is given, as usage shows it
	Short string // a line about the kind, without a full stop
	Steps string // exactly what to do at the provider
	Flags []Flag // the first is what a person is asked for if no flag gave a secret
}

// Flag is a flag that becomes a setting or a secret: one of Purpose and Setting
// is given.
type Flag struct {
	Name    string
	Purpose string // the secret it gives
	Setting string // the setting it gives
	Form    FlagForm
	Doc     string
}

// FlagForm is how the value of a flag is given.
type FlagForm int

// The forms there are. A secret is never given as text.
const (
	FlagText  FlagForm = iota // as it is: nothing secret
	FlagFile                  // the name of a file that has it; -: standard input
	FlagYesNo                 // by naming the flag
	FlagList                  // by naming the flag several times
)
