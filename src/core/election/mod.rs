//! Who may decide: a controller that holds an epoch at a majority of the voters, and nobody else at that time.
//!
//! **Promises.** A voter keeps one promise: an epoch, the controller that it was given to, and until when, by the voter's
//! own clock ([`voter`]). It gives a higher epoch to another controller only once the promise is over, or where the
//! operator wants it (`--take-over`). A controller gathers promises in rounds ([`candidate`]): it asks all voters what
//! they know, claims an epoch above all of that, and has the promises confirmed; confirming is also how it keeps them
//! alive. It may decide as long as a majority has confirmed within the lease, reckoned from the moment at which the round
//! began, so that no two clocks are compared; only their pace must be alike.
//!
//! **Lost files.** A voter that has lost its promise must not help a second controller to a majority. It says so, with a
//! mark that is made when the loss is seen, and counts for nothing until it is taught the newest promise that is known.
//! Who teaches has to have heard that from a majority of voters that know, asked after the mark was heard of: whatever
//! the voter had promised before its loss and a controller has had confirmed is then known to one of those. The
//! confirming round is what makes this hold for a claim that is under way meanwhile.
//!
//! **One line of decisions.** A voter also writes down the latest epoch that it was asked to confirm: that one had a
//! majority, so something may have been decided under it. Of any majority at least one has heard of the latest. A
//! controller that does not know what was decided under it is told so, instead of an epoch; whether it is to go on
//! without is for somebody else to say.
//!
//! **What it stands on**: fewer voters than a majority have lost their files at one time; where more have, nothing is
//! known for sure, and only the operator can go on. A swarm in which no voter knows anything is taken to be new.
//!
//! Requests may be lost, late and doubled; answers belong to the round that asked. Cost: a message to each voter and
//! back, for each round.

pub mod candidate;
pub mod voter;

#[cfg(test)]
mod tests;

pub use candidate::{Candidate, Outcome};
pub use voter::{Answer, Knowledge, Mark, Promise, Record, Request, Term};

/// How many of so many are more than half.
pub fn majority(voters: usize) -> usize {
    voters / 2 + 1
}
