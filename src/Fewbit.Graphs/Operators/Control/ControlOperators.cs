namespace Fewbit.Graphs.Operators.Control;

/// <summary>Operators that run graphs of their own.</summary>
internal static class ControlOperators
{
    public static void Register(OperatorRegistry registry)
    {
        registry.Add("If", If.Parse);
        registry.Add("Loop", Loop.Parse);
        registry.Add("Scan", Scan.Parse);
    }
}
