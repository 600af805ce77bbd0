// A plugin of clang-tidy that keeps its checks to the project's own code. They
// walk every declaration of a unit otherwise, and nine tenths of those are the
// libraries', where no finding is reported anyway.
#include <vector>

#include "clang-tidy/ClangTidyCheck.h"
#include "clang-tidy/ClangTidyModule.h"
#include "clang-tidy/ClangTidyModuleRegistry.h"
#include "clang/AST/ASTContext.h"
#include "clang/ASTMatchers/ASTMatchFinder.h"
#include "clang/ASTMatchers/ASTMatchers.h"
#include "clang/Basic/SourceManager.h"

namespace {

class OwnCode : public clang::tidy::ClangTidyCheck {
 public:
  using ClangTidyCheck::ClangTidyCheck;

  void registerMatchers(clang::ast_matchers::MatchFinder* finder) override {
    finder->addMatcher(clang::ast_matchers::translationUnitDecl().bind("unit"),
                       this);
  }

  // The unit itself is matched before its declarations are walked, and the
  // walk asks for its scope only then.
  void check(
      const clang::ast_matchers::MatchFinder::MatchResult& found) override {
    std::vector<clang::Decl*> own;
    // What came from the precompiled header is a library's, and stays unread.
    for (auto* one : found.Context->getTranslationUnitDecl()->noload_decls()) {
      if (!one->isFromASTFile() &&
          !found.SourceManager->isInSystemHeader(one->getLocation())) {
        own.push_back(one);
      }
    }
    found.Context->setTraversalScope(own);
  }
};

class Module : public clang::tidy::ClangTidyModule {
 public:
  void addCheckFactories(
      clang::tidy::ClangTidyCheckFactories& factories) override {
    factories.registerCheck<OwnCode>("tieline-own-code");
  }
};

clang::tidy::ClangTidyModuleRegistry::Add<Module> module(
    "tieline", "Keeps the checks to the project's own code.");

}  // namespace
