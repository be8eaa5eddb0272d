//! `chronolease`: reads evidence logs for operators and auditors. It never writes to a log and
//! takes no lock, so it may run beside the daemon.
//!
//! | module | what it holds |
//! |---|---|
//! | [`arguments`] | the command line |
//! | [`audit`] | what leaves must agree on among themselves; pure |
//! | [`fsck`] | checks a whole log: storage, tree, leaves |
//! | [`kind`] | the names of the kinds of leaves |
//! | [`show`] | prints leaves as a table or as JSON lines |
//! | [`text`] | times and bytes as text |

pub mod arguments;
pub mod audit;
pub mod fsck;
pub mod kind;
pub mod show;
pub mod text;
