namespace Fewbit.Graphs.Operators;

/// <summary>Matrix products.</summary>
internal static class MatrixOperators
{
    public static void Register(OperatorRegistry registry)
    {
        registry.Add("MatMul", _ => new MatMul());
        registry.Add("FusedMatMul", MatMul.ParseFused, OperatorTable.MicrosoftDomain);
        registry.Add("FusedMatMul", MatMul.ParseWithEpilogue, OperatorTable.FewbitDomain);
        registry.Add("Gemm", MatrixProductSum.Parse);
    }
}
