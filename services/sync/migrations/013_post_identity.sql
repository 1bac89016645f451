-- Nobody looks for due rows without the parked ones any more.
DROP INDEX outgoing_due;
