"""Whatever happens on our side in whatever order, in the end the CRM holds exactly that."""
