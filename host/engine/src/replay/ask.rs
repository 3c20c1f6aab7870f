//! Questions and their answers.

use taskyard_task::{Event, InputKind, Message, Part, Ticket};

use super::gate::Gate;
use super::stop::{CallError, Refusal, Stop};
use super::tickets::Thing;

impl Gate {
    /// Asks. The first message behind the question is its answer, if no older question is open.
    ///
    /// # Errors
    /// Like an effect. Refused with [`Refusal::Canceled`] once the worker knows of a cancel: nobody will
    /// answer.
    pub(crate) async fn ask(
        &mut self,
        kind: InputKind,
        prompt: Vec<Part>,
    ) -> Result<Ticket, CallError> {
        if self.canceled {
            return Err(Refusal::Canceled.into());
        }
        self.admit_ticket()?;
        let asked = self.effect(Event::Asked { kind, prompt }).await?;
        let ticket = self.tickets.add(Thing::Question {
            answer: None,
            taken: false,
        });
        self.questions.push((ticket, kind));
        self.journal.outside.asked(ticket, asked);
        Ok(ticket)
    }

    /// Waits for the answer to a question and takes it.
    ///
    /// # Errors
    /// Refused if there is no such question, or the task is canceled instead.
    pub(crate) async fn take_answer(&mut self, question: Ticket) -> Result<Message, CallError> {
        match self.tickets.get(question) {
            Some(Thing::Question { taken: false, .. }) => {}
            Some(Thing::Question { taken: true, .. }) => {
                return Err(Refusal::invalid("the answer was taken before").into());
            }
            _ => return Err(Refusal::invalid("the ticket names no question").into()),
        }
        self.wait_for(&[question]).await?;
        let Some(Thing::Question { answer, taken }) = self.tickets.get_mut(question) else {
            return Err(Refusal::invalid("the ticket names no question").into());
        };
        *taken = true;
        let Some(answer) = *answer else {
            return Err(Refusal::invalid("the question was withdrawn").into());
        };
        self.questions.retain(|(ticket, _)| *ticket != question);
        let Some(kept) = self.journal.outside.take(answer.seq) else {
            let problem = format!("the answer in entry {} is not there", answer.seq);
            return Err(Stop::Unavailable(problem).into());
        };
        Ok(self.message(answer.seq, kept).await?)
    }
}
