EAPI=8

DESCRIPTION="Everything: its graph is what tests of a whole run build"
RDEPEND="
	app-lab/consumer
	app-lab/daemon
	app-lab/editor
	app-lab/multislot:1
	app-lab/multislot:2
	app-lab/plugins
	app-lab/viewer
"

inherit lab
