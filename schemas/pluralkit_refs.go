package schemas

import (
	"regexp"
	"strings"
)

var (
	shortIDForm = regexp.MustCompile(`^[a-z]{5,6}$`)
	uuidForm    = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	plainUUID   = regexp.MustCompile(`^[0-9a-f]{32}$`)
)

// maxShortIDBytes is the length up to which PluralKit's gateway takes dashes out
// of a reference: six letters and a dash, or five and two.
const maxShortIDBytes = 7

// PluralKitShortID reads a short id as PluralKit does, in a path or in a file: five
// or six letters, in any case, with dashes anywhere as long as there are at most
// seven characters. The result is in small letters and has no dash; ok is false if
// ref is no short id.
func PluralKitShortID(ref string) (id string, ok bool) {
	if len(ref) > maxShortIDBytes {
		return "", false
	}
	id = strings.ReplaceAll(strings.ToLower(ref), "-", "")
	if !shortIDForm.MatchString(id) {
		return "", false
	}
	return id, true
}

// PluralKitUUID reads a uuid as PluralKit does: in any case, with its dashes or
// without them, also in braces. The result is in the usual form, small letters
// with dashes; ok is false if ref is no uuid.
func PluralKitUUID(ref string) (uuid string, ok bool) {
	uuid = strings.ToLower(ref)
	if inner, found := strings.CutPrefix(uuid, "{"); found && strings.HasSuffix(inner, "}") {
		uuid = strings.TrimSuffix(inner, "}")
		if len(uuid) != 36 {
			return "", false
		}
	}
	if plainUUID.MatchString(uuid) {
		uuid = uuid[:8] + "-" + uuid[8:12] + "-" + uuid[12:16] + "-" + uuid[16:20] + "-" + uuid[20:]
	}
	if !uuidForm.MatchString(uuid) {
		return "", false
	}
	return uuid, true
}
