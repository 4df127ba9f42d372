EAPI=8

DESCRIPTION="Its source cannot be fetched: nothing listens there"
SRC_URI="http://127.0.0.1:9/${P}.tar.gz"
RESTRICT="mirror"

inherit lab
