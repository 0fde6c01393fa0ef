namespace Fewbit.Graphs.Operators;

/// <summary>Recurrent layers.</summary>
internal static class RecurrentOperators
{
    public static void Register(OperatorRegistry registry)
    {
        registry.Add("RNN", node => Recurrent.Parse(node, Cell.Rnn));
        registry.Add("GRU", node => Recurrent.Parse(node, Cell.Gru));
        registry.Add("LSTM", node => Recurrent.Parse(node, Cell.Lstm));
        registry.Add("LSTMGradient", LstmGradient.Parse, OperatorTable.FewbitDomain);
    }
}
