"""A stand-in for WhatsApp Web: the page, its server and the phones, driven by orders instead of people."""
