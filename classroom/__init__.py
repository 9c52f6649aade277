"""What a class needs beside the notebooks: a projector, slides, a server, a site."""
