package spool

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"switchlog/schemas"
)

// The body of a row of waiting is the messages of one transaction, one after
// the other: of each its subject, its ID and its body, each after its length
// as a varint, and then a checksum of these bytes and of its position, as four
// bytes. SQLite keeps none of its own: without it a bit that flips on the disk
// while an event waits would go into the log for ever.

const checksumBytes = 4

// castagnoli is the polynomial of CRC-32C, for which processors have an instruction.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(pos uint64, encoded []byte) uint32 {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], pos)
	return crc32.Update(crc32.Checksum(b[:], castagnoli), castagnoli, encoded)
}

// appendMessage appends the message at position pos.
func appendMessage(b []byte, m schemas.Message, pos uint64) []byte {
	from := len(b)
	b = binary.AppendUvarint(b, uint64(len(m.Subject)))
	b = append(b, m.Subject...)
	b = binary.AppendUvarint(b, uint64(len(m.ID)))
	b = append(b, m.ID...)
	b = binary.AppendUvarint(b, uint64(len(m.Body)))
	b = append(b, m.Body...)
	return binary.BigEndian.AppendUint32(b, checksum(pos, b[from:]))
}

var (
	errBody     = errors.New("the row does not hold the events it should")
	errChecksum = errors.New("its bytes are not those that were accepted: the disk has changed them")
)

// cutMessage takes the first message off b, which must be the one at position
// pos. Its body shares b's memory. With errChecksum, rest is where the next
// begins if the damage is not in a length: its own checksum tells.
func cutMessage(b []byte, pos uint64) (m schemas.Message, rest []byte, err error) {
	m, rest, err = cutParts(b)
	if err != nil {
		return m, nil, err
	}
	if len(rest) < checksumBytes {
		return m, nil, errBody
	}
	if checksum(pos, b[:len(b)-len(rest)]) != binary.BigEndian.Uint32(rest) {
		err = errChecksum
	}
	return m, rest[checksumBytes:], err
}

// cutParts takes the parts of a message off b.
func cutParts(b []byte) (m schemas.Message, rest []byte, err error) {
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
