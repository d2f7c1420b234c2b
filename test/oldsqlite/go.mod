// A reader of the database with the least SQLite that is promised to read it,
// 3.37. Its own module, so that switchlog's has the newest.
module switchlog-oldsqlite

go 1.26.0

require github.com/mattn/go-sqlite3 v1.14.10
