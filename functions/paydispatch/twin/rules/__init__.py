"""The rules by which Stripe refuses a create whose parameters are right one by one. A file per object or idea."""
