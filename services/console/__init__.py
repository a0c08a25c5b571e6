"""The console: the pages in which buyers, sellers and operators work. It owns no data and calls the others' APIs."""
