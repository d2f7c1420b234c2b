package schemas

import "strings"

// ProxyTag is what a member's messages begin and end with, to be proxied; nil: nothing.
type ProxyTag struct {
	Prefix *string `json:"prefix"`
	Suffix *string `json:"suffix"`
}

// ReadProxyTags reads a list of proxy tags. A name that is there twice means the last,
// and names are told apart by case, as everywhere (see DecodeFields). What is no list
// of objects, or has something else than text in them, is ErrInvalid.
func ReadProxyTags(list []byte) ([]ProxyTag, error) {
	tags := []ProxyTag{}
	err := readList("proxy_tags", list, func(element []byte) error {
		var tag ProxyTag
		err := readInner("proxy_tags", element, func(at string, value []byte) error {
			switch strings.TrimPrefix(at, "proxy_tags.") {
			case "prefix":
				return readOptional(at, value, &tag.Prefix)
			case "suffix":
				return readOptional(at, value, &tag.Suffix)
			}
			return nil
		})
		tags = append(tags, tag)
		return err
	})
	return tags, err
}
