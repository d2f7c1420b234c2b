package spool

import (
	"encoding/binary"
	"errors"

	"switchlog/schemas"
)

// The body of a row of waiting is the messages of one transaction, one after
// the other: of each its subject, its ID and its body, each after its length
// as a varint.

func appendMessage(b []byte, m schemas.Message) []byte {
	b = binary.AppendUvarint(b, uint64(len(m.Subject)))
	b = append(b, m.Subject...)
	b = binary.AppendUvarint(b, uint64(len(m.ID)))
	b = append(b, m.ID...)
	b = binary.AppendUvarint(b, uint64(len(m.Body)))
	return append(b, m.Body...)
}

var errBody = errors.New("a row of waiting does not hold the messages it should")

// cutMessage takes the first message off b. Its body shares b's memory.
func cutMessage(b []byte) (m schemas.Message, rest []byte, err error) {
	var part [3][]byte
	for i := range part {
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return m, nil, errBody
		}
		part[i], b = b[n:n+int(size)], b[n+int(size):]
	}
	return schemas.Message{Subject: string(part[0]), ID: string(part[1]), Body: part[2]}, b, nil
}
