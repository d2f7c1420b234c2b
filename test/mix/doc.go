// Package mix makes a log as PluralKit's systems would leave it: what a
// rebuild is measured with.
//
// One system in the mix is big: a fifth of all events are its, and it has 200
// members. The others have twelve each, and share the rest unevenly: half of
// it is a sixth of theirs. In a system, too, a few members do most of the
// talking. Of a thousand events,
//
//	720 are CREATE_MESSAGE, with the system and the member as they are,
//	120 are CREATE_SWITCH, 30 UPDATE_SWITCH, 10 DELETE_SWITCH,
//	 80 are UPDATE_MEMBER, 10 CREATE_MEMBER,
//	 10 are CREATE_GROUP or UPDATE_GROUP, 5 UPDATE_SYSTEM,
//	 15 are UPDATE_AUTOPROXY or UPDATE_MEMBER_GUILD about a member.
//
// Who has a switch has a new one about an hour after the last. An update of a
// switch is nearly always of the last one; one in ten is of an earlier one.
package mix
