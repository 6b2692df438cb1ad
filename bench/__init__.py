"""What readystate costs, measured: `make bench`. Each module of a bench yields figures.

A goal is from issue 3, acceptance 8. Figures are of this machine and this hour: where there is a
peer, both are measured in the same run and their ratio counts."""
