//! A list whose values have types of their own: routes, and the handlers of a target's methods.

/// The end of a list.
#[derive(Debug)]
pub struct End;

/// A value in front of others. The first that was added stands outermost: it is asked first, and the cheapest to reach.
#[derive(Debug)]
pub struct Link<T, N> {
    pub(crate) value: T,
    pub(crate) next: N,
}

/// A list that can be added to at its end.
pub trait Append {
    /// The same with one more.
    type With<T>;

    /// Adds one.
    fn with<T>(self, value: T) -> Self::With<T>;
}

impl Append for End {
    type With<T> = Link<T, End>;

    fn with<T>(self, value: T) -> Link<T, End> {
        Link { value, next: End }
    }
}

impl<V, N: Append> Append for Link<V, N> {
    type With<T> = Link<V, N::With<T>>;

    fn with<T>(self, value: T) -> Self::With<T> {
        Link { value: self.value, next: self.next.with(value) }
    }
}
