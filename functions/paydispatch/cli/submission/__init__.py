"""The parts of `paydispatch submit`: its files, and the pages that it prints."""
