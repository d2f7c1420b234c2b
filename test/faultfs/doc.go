// Package faultfs is a file system for tests that fails as disks do. It shows
// a directory through FUSE, and on the way:
//
//   - remembers what every file held at its last fsync, so that a power cut
//     can take away all that was written since, or any part of it;
//   - lets a test refuse any operation: no room left, a read error, a disk
//     that has gone read-only;
//   - can lie about fsync, so that a test shows it would notice.
//
// What it models: names (create, rename, delete) are durable at once; bytes
// only by fsync of their file. After a cut, each block of 4 KiB written since
// is there or not, by chance; so is the growth of the file.
//
// It needs Linux, /dev/fuse, and root or fusermount3 (`make needs`).
package faultfs
