// SPDX-License-Identifier: Apache-2.0
//! A mailbox that is emptied at once. An actor's own mailbox costs a boxed message and a wake-up for
//! every command; here messages wait in a queue, and the actor gets one message of ractor's for all
//! that have come since it last looked.
//!
//! Messages are taken in the order in which they were put in. What waits when the actor ends is
//! dropped with its state, and with it the replies.

use std::sync::{Arc, Mutex, MutexGuard};

use ractor::ActorRef;

use crate::locks::whole;

/// What the actor is sent: there is something in its queue.
pub(crate) struct Filled;

struct Waiting<T> {
    messages: Vec<T>,
    /// A [`Filled`] is on its way; without one, no message waits.
    announced: bool,
    closed: bool,
}

/// Lock: a sender for one message, the actor to take all that wait; only the actor is woken under it, which never
/// waits.
struct MailboxQueue<T>(Mutex<Waiting<T>>);

impl<T> MailboxQueue<T> {
    fn waiting(&self) -> MutexGuard<'_, Waiting<T>> {
        whole(self.0.lock())
    }
}

/// Where messages are put in. Clones are the same mailbox.
pub(crate) struct Address<T> {
    actor: ActorRef<Filled>,
    queue: Arc<MailboxQueue<T>>,
}

impl<T> Clone for Address<T> {
    fn clone(&self) -> Self {
        Self {
            actor: self.actor.clone(),
            queue: Arc::clone(&self.queue),
        }
    }
}

impl<T> Address<T> {
    /// The actor, to drain or stop it.
    pub(super) const fn actor(&self) -> &ActorRef<Filled> {
        &self.actor
    }

    /// Puts a message in; gives it back where the actor takes no more.
    pub(crate) fn send(&self, message: T) -> Result<(), T> {
        let mut waiting = self.queue.waiting();
        if !self.announce(&mut waiting) {
            return Err(message);
        }
        waiting.messages.push(message);
        Ok(())
    }

    /// Has the actor look, also where there is nothing new. An actor that has ended needs no waking.
    pub(super) fn wake(&self) {
        let _ended = !self.announce(&mut self.queue.waiting());
    }

    /// Under the lock: a message is accepted only where the actor will look for it.
    fn announce(&self, waiting: &mut Waiting<T>) -> bool {
        if !waiting.announced && !waiting.closed {
            waiting.announced = self.actor.send_message(Filled).is_ok();
        }
        waiting.announced && !waiting.closed
    }
}

/// The actor's end of the queue; it closes when it is dropped.
pub(crate) struct Inbox<T> {
    queue: Arc<MailboxQueue<T>>,
    /// Where the next messages will wait.
    spare: Vec<T>,
}

/// Room for so many messages is kept for the next ones: a crowd must not be paid for for ever.
const SPARE_MAX: usize = 4_096;

/// Both ends: the inbox goes into the actor's state, the address is made of the actor that holds it.
pub(super) fn new<T>() -> (Inbox<T>, impl FnOnce(ActorRef<Filled>) -> Address<T>) {
    let queue = Arc::new(MailboxQueue(Mutex::new(Waiting {
        messages: Vec::new(),
        announced: false,
        closed: false,
    })));
    let inbox = Inbox {
        queue: Arc::clone(&queue),
        spare: Vec::new(),
    };
    (inbox, move |actor| Address { actor, queue })
}

impl<T> Inbox<T> {
    /// The address of this mailbox, for the actor that holds it.
    pub(super) fn address(&self, actor: ActorRef<Filled>) -> Address<T> {
        Address {
            actor,
            queue: Arc::clone(&self.queue),
        }
    }

    /// All that has come since the last time.
    pub(super) fn take(&mut self) -> Vec<T> {
        let room = std::mem::take(&mut self.spare);
        let mut waiting = self.queue.waiting();
        waiting.announced = false;
        std::mem::replace(&mut waiting.messages, room)
    }

    /// What [`Inbox::take`] gave, read: its room is used again.
    pub(super) fn give_back(&mut self, mut read: Vec<T>) {
        read.clear();
        if read.capacity() <= SPARE_MAX {
            self.spare = read;
        }
    }
}

impl<T> Drop for Inbox<T> {
    fn drop(&mut self) {
        let mut waiting = self.queue.waiting();
        waiting.closed = true;
        let unread = std::mem::take(&mut waiting.messages);
        drop(waiting);
        // A caller that waits for a reply learns from its being dropped.
        drop(unread);
    }
}

#[cfg(test)]
mod tests {
    use ractor::{Actor, ActorProcessingErr};
    use tokio::sync::{mpsc, oneshot};

    use super::*;

    type Message = (usize, oneshot::Sender<()>);

    /// Passes on what it finds, batch by batch.
    struct Reader;

    impl Actor for Reader {
        type Msg = Filled;
        type State = (Inbox<Message>, mpsc::UnboundedSender<Vec<Message>>);
        type Arguments = Self::State;

        async fn pre_start(
            &self,
            _: ActorRef<Filled>,
            state: Self::Arguments,
        ) -> Result<Self::State, ActorProcessingErr> {
            Ok(state)
        }

        async fn handle(
            &self,
            _: ActorRef<Filled>,
            Filled: Filled,
            (inbox, read): &mut Self::State,
        ) -> Result<(), ActorProcessingErr> {
            read.send(inbox.take())
                .map_err(|gone| gone.to_string().into())
        }
    }

    async fn started() -> (Address<Message>, mpsc::UnboundedReceiver<Vec<Message>>) {
        let (inbox, address) = new();
        let (sender, read) = mpsc::unbounded_channel();
        let (actor, _) = Actor::spawn(None, Reader, (inbox, sender)).await.unwrap();
        (address(actor), read)
    }

    #[tokio::test]
    async fn all_that_waits_is_read_at_once_and_in_order() {
        let (address, mut read) = started().await;
        // The actor runs on this thread: it cannot look before this task waits.
        let replies: Vec<_> = (0..1_000)
            .map(|number| {
                let (reply, answer) = oneshot::channel();
                assert!(address.send((number, reply)).is_ok());
                answer
            })
            .collect();
        let first = read.recv().await.unwrap();
        assert!(first.iter().map(|(number, _)| *number).eq(0..1_000));
        assert!(address.send((1_000, oneshot::channel().0)).is_ok());
        assert_eq!(read.recv().await.unwrap().len(), 1);
        address.wake();
        assert!(read.recv().await.unwrap().is_empty(), "it looked");
        drop(replies);
    }

    #[tokio::test]
    async fn what_is_accepted_is_read_before_a_drained_actor_ends_and_nothing_is_accepted_after() {
        let (address, mut read) = started().await;
        assert!(address.send((1, oneshot::channel().0)).is_ok());
        address.actor().drain().unwrap();
        let late = address.send((2, oneshot::channel().0));
        let accepted = 1 + usize::from(late.is_ok());
        address.actor().wait(None).await.unwrap();
        assert_eq!(read.recv().await.unwrap().len(), accepted);
        let (number, _) = address.send((3, oneshot::channel().0)).unwrap_err();
        assert_eq!(number, 3);
        address.wake();
        assert!(read.recv().await.is_none());
    }

    #[tokio::test]
    async fn what_a_killed_actor_leaves_unread_is_dropped() {
        let (address, _read) = started().await;
        let (reply, answer) = oneshot::channel();
        assert!(address.send((1, reply)).is_ok());
        address.actor().kill();
        assert!(answer.await.is_err(), "the reply is dropped");
    }
}
