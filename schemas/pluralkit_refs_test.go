package schemas

import "testing"

func TestPluralKitRefs(t *testing.T) {
	for ref, want := range map[string]string{
		"peduep": "peduep", "PeDuEp": "peduep", "ped-uep": "peduep", "pe-duep": "peduep", "-peduep": "peduep", "peduep-": "peduep",
		"abcde": "abcde", "a-bcd-e": "abcde", "--abcde": "abcde",
		"pe--duep": "", "abcd": "", "abcdefg": "", "": "", "-": "", "-------": "", "abc12": "", "abc de": "", "abcd\u00e9": "", "abcde\n": "",
	} {
		if got, ok := PluralKitShortID(ref); got != want || ok != (want != "") {
			t.Errorf("short id %q: got %q, %v, want %q", ref, got, ok, want)
		}
	}
	const uuid = "7f3c1a52-0d4e-4c1b-9a6e-2b8d5f90c311"
	for ref, want := range map[string]string{
		uuid: uuid, "7F3C1A52-0D4E-4C1B-9A6E-2B8D5F90C311": uuid, "7f3c1a520d4e4c1b9a6e2b8d5f90c311": uuid, "{" + uuid + "}": uuid,
		"{7f3c1a520d4e4c1b9a6e2b8d5f90c311}": "", "{" + uuid: "", uuid + "}": "", uuid[1:]: "", "": "", "7f3c1a52-0d4e4c1b9a6e2b8d5f90c311": "",
	} {
		if got, ok := PluralKitUUID(ref); got != want || ok != (want != "") {
			t.Errorf("uuid %q: got %q, %v, want %q", ref, got, ok, want)
		}
	}
}
